function y = predict(m, z, timesteps, varargin)
% mdldm.predict  One evaluation of the UNet: y = mdldm.predict(m, z, timesteps, 'Class', "ID_1")
% timesteps: of the forward process, from 0 on; one, or one for each image. Class: as in mdldm.generate.
% SPDX-License-Identifier: MIT
  [own, pairs, hooks] = mdldm.internal.parse(varargin, struct('Class', []));
  mdldm.internal.none(pairs, 'mdldm.predict');
  h = mdldm.internal.handle_of(m, 'Model');
  y = mdldm.internal.call(hooks, 'predict', h, z, timesteps, mdldm.internal.labels(m.ClassNames, own.Class));
end
