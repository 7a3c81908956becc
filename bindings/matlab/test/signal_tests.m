function tests = signal_tests()
% SIGNAL_TESTS  Spectrograms, decibels and colour maps against the interpreter's own fft, jet, interp1.
% SPDX-License-Identifier: MIT
  tests = {
    'the spectrogram is that of fft, with its axes', @against_fft
    'a tone stands at its frequency, at 0 dB', @tone
    'decibels and pixels there and back', @scales
    'jet and grey are the colours of the interpreter', @host_colours
    'colours of several matrices come back as values', @colours_back
    'a matrix that grows is interpolated', @resized
    'samples, matrices and names are checked', @signal_errors
    'dB matrices through a model and back', @through_model
  };
end

function iq = echo()
  t = (0:1023)' / 1000;
  iq = exp(2i * pi * (60 * t + 15 * sin(2 * pi * 1.5 * t))) + 0.3 * exp(-2i * pi * 200 * t) + 0.05 * sin(1:1024)';
end

function note = against_fft(~)
  iq = echo();
  [db, frequency, time] = mdldm.spectrogram(iq, 1000, 'WinLength', 128, 'HopLength', 32, 'NFft', 256);
  window = 0.5 - 0.5 * cos(2 * pi * (0:127)' / 128);
  wanted = zeros(256, 1 + floor((1024 - 128) / 32));
  for k = 1:size(wanted, 2)
    frame = iq((k - 1) * 32 + (1:128)) .* window / sum(window);
    wanted(:, k) = flipud(fftshift(20 * log10(abs(fft(frame, 256)))));
  end
  check(isa(db, 'single') && isequal(size(db), size(wanted)), 'class or size');
  strong = wanted > -80; % dB of full scale: below, float's rounding of the transform begins to show
  worst = max(abs(double(db(strong)) - wanted(strong)));
  check(worst <= 2e-3, 'differs by %.3g dB', worst);
  note = sprintf(' (within %.1g dB, limit 2e-3)', worst);
  check(max(abs(frequency - (127:-1:-128)' * 1000 / 256)) < 1e-9, 'frequency');
  check(max(abs(time - ((0:28) * 32 + 64) / 1000)) < 1e-3, 'time');
  again = mdldm.spectrogram(single(iq.'), 1000, 'win_length', 128, 'hop_length', 32, 'n_fft', 256);
  check(isequal(again, db), 'single or a row gives something else');
end

function note = tone(~)
  [db, frequency] = mdldm.spectrogram(exp(2i * pi * 125 * (0:999) / 1000), 1000, 'WinLength', 200, 'NFft', 200);
  [peak, row] = max(db(:, 2));
  check(abs(frequency(row) - 125) < 1e-9 && abs(peak) < 1e-4, '%g dB at %g Hz', peak, frequency(row));
  note = sprintf(' (%.1e dB)', peak);
end

function note = scales(~)
  db = single([-70 -60 -45; -30 0 5]);
  [low, high] = mdldm.db_range(db, 65);
  check(low == -60 && high == 5, 'range');
  pixels = mdldm.db_to_pixels(db, -60, 0);
  check(isequal(size(pixels), [2 3]) && max(max(abs(pixels - [-1 -1 -0.5; 0 1 1]))) < 1e-6, 'pixels');
  check(max(max(abs(mdldm.pixels_to_db(pixels, -60, 0) - [-60 -60 -45; -30 0 0]))) < 1e-5, 'back');
  unit = mdldm.db_to_unit(reshape(db, [1 2 1 3]), -60, 0);
  check(isequal(size(unit), [1 2 1 3]) && max(abs(unit(:) - [0 0.5 0 1 0.25 1]')) < 1e-6, 'unit');
  check(max(abs(mdldm.unit_to_db([0; 0.5], -60, 0) - [-60; -30])) < 1e-5, 'unit back');
  note = '';
end

function note = host_colours(~)
  values = ((0:255)' + 0.5) / 256;
  ours = double(squeeze(mdldm.colormap_apply('jet', values, 0, 1)));
  worst = max(max(abs(ours - 255 * jet(256))));
  check(worst <= 1, 'jet differs by %g', worst);
  grey = double(squeeze(mdldm.colormap_apply("grey", values, 0, 1)));
  check(max(max(abs(grey - 255 * gray(256)))) <= 0.5001, 'grey differs');
  names = mdldm.colormaps();
  check(any(strcmp(names, 'turbo')) && any(strcmp(names, 'jet')), 'names');
  note = sprintf(' (%d maps, jet within %.2g of 255)', numel(names), worst);
end

function note = colours_back(~)
  values = reshape(single(mod((1:5 * 7 * 3) * 0.37, 1)) * 60 - 60, [5 7 1 3]);
  rgb = mdldm.colormap_apply('viridis', values, -60, 0);
  check(isequal(size(rgb), [5 7 3 3]) && isa(rgb, 'uint8'), 'size or class');
  check(isequal(rgb(:, :, :, 2), mdldm.colormap_apply('viridis', values(:, :, 1, 2), -60, 0)), 'matrix 2 alone');
  [back, residuals, mean_residual, max_residual] = mdldm.colormap_invert('viridis', rgb, -60, 0);
  check(isequal(size(back), [5 7 1 3]) && isequal(size(residuals), [5 7 1 3]), 'size');
  worst = max(abs(back(:) - values(:)));
  check(worst <= 1.5 * 60 / 256, 'off by %g dB', worst); % half a colour from the bins, less than one from rounding
  check(max_residual <= 1 && mean_residual <= max_residual && max_residual == max(residuals(:)), 'residuals');
  [~, ~, other] = mdldm.colormap_invert('jet', rgb, -60, 0);
  check(other > 10, 'another map has a residual of %g only', other);
  note = sprintf(' (within %.2g dB)', worst);
end

function note = resized(~)
  m = [1 2 3; 4 5 6];
  out = mdldm.matrix_resize(m, 4, 3); % row k lies at (k - 0.5) / 2 - 0.5, within 0 to 1
  check(isequal(size(out), [4 3]) && max(max(abs(out - interp1([0 1], m, [0 0.25 0.75 1])))) < 1e-6, 'values');
  check(isequal(mdldm.matrix_resize(m, 2, 3), single(m)), 'the same size');
  check(isequal(mdldm.matrix_resize(m, 1, 1), single(3.5)), 'the mean');
  note = '';
end

function note = signal_errors(~)
  bad = 'mdldm:invalid_argument';
  check_error(bad, 'complex vector', @() mdldm.spectrogram(ones(3, 4), 1000));
  check_error(bad, '.', @() mdldm.spectrogram(echo(), 1000, 'WinLength', 5000));
  check_error(bad, '.', @() mdldm.spectrogram(echo(), -1));
  check_error(bad, 'window', @() mdldm.spectrogram(echo(), 1000, 'Window', 'round'));
  check_error(bad, 'not read here \(spectrogram\)', @() mdldm.spectrogram(echo(), 1000, 'Seed', 1));
  iq = echo();
  iq(7) = NaN;
  check_error('mdldm:numeric', '6', @() mdldm.spectrogram(iq, 1000));
  check_error('mdldm:.*', '.', @() mdldm.colormap_apply('sepia', 1, 0, 1));
  check_error(bad, 'class uint8|uint8 would be right', @() mdldm.colormap_invert('jet', zeros(2, 2, 3), 0, 1));
  check_error(bad, '\[H W 1 N\]', @() mdldm.colormap_apply('jet', zeros(2, 2, 3), 0, 1));
  check_error(bad, 'two dimensions', @() mdldm.matrix_resize(zeros(2, 2, 2), 3, 3));
  note = '';
end

function note = through_model(env)
  db = single(-60 * abs(sin((1:16)' * (1:16) / 9)));
  m = small_model(env, 0);
  images = mdldm.colormap_apply('jet', db, -60, 0);
  z = mdldm.encode(m, images);
  [back, ~, mean_residual] = mdldm.colormap_invert('jet', mdldm.decode(m, z), -60, 0);
  check(isequal(size(back), [16 16]) && all(back(:) >= -60 & back(:) <= 0) && isfinite(mean_residual), 'dB');
  note = '';
end
