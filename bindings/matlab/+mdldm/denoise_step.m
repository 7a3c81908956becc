function z = denoise_step(s, z, k, varargin)
% mdldm.denoise_step  Step k of a sampler: z = mdldm.denoise_step(s, z, k, 'Class', "ID_1")
% Steps run 1, 2, ..., numel(s.Timesteps) for one batch; step 1 starts a new trajectory.
% Options: 'Class' as in mdldm.generate, 'FirstIndex' (0) as given to mdldm.noise.
% SPDX-License-Identifier: MIT
  [own, pairs, hooks] = mdldm.internal.parse(varargin, struct('Class', [], 'FirstIndex', 0));
  mdldm.internal.none(pairs, 'mdldm.denoise_step');
  h = mdldm.internal.handle_of(s, 'Sampler');
  z = mdldm.internal.call(hooks, 'denoise_step', h, z, mdldm.internal.labels(s.Model.ClassNames, own.Class), ...
                          own.FirstIndex, k - 1, s.Channels);
end
