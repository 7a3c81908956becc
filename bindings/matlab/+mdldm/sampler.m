function s = sampler(m, varargin)
% mdldm.sampler  A sampler to denoise step by step: s = mdldm.sampler(m, 'Scheduler', "ddim", 'NumInferenceSteps', 50)
% Names and values: mdldm.options('sample').
%   z = mdldm.noise(s);
%   for k = 1:numel(s.Timesteps), z = mdldm.denoise_step(s, z, k, 'Class', "ID_1"); end
%   images = mdldm.decode(m, z);
% SPDX-License-Identifier: MIT
  [own, pairs] = mdldm.internal.parse(varargin, struct()); %#ok<ASGLU>
  s = mdldm.Sampler(m, pairs);
end
