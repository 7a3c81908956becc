function [db, frequency, time] = spectrogram(iq, sample_rate, varargin)
% mdldm.spectrogram  Radar samples to dB: [db, frequency, time] = mdldm.spectrogram(iq, sample_rate)
%   iq           complex vector, slow time; sample_rate in Hz (the radar's pulse rate)
%   db           single [R C]: rows are Doppler frequencies, the highest first, columns time; 0 dB is a complex
%                exponential of amplitude 1
%   frequency    [R 1], Hz, falling; the velocity is frequency * c / (2 * carrier)
%   time         [1 C], s, of each window's middle
% Names and values: 'WinLength', 'HopLength', 'NFft', 'Window', 'ClutterRemoval', ...; mdldm.options('spectrogram').
% SPDX-License-Identifier: MIT
  [own, pairs, hooks] = mdldm.internal.parse(varargin, struct()); %#ok<ASGLU>
  if ~isfloat(iq) || ~isvector(iq)
    error('mdldm:invalid_argument', 'iq is of class %s and size [%s]: a complex vector would be right', class(iq), ...
          num2str(size(iq)));
  end
  [db, frequency, time] = mdldm.internal.call(hooks, 'spectrogram', full(real(iq)), full(imag(iq)), sample_rate, pairs);
end
