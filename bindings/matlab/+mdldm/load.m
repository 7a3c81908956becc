function m = load(folder, varargin)
% mdldm.load  Loads a model: m = mdldm.load(folder)
% folder: a diffusers pipeline (model_index.json) or one component (config.json).
% SPDX-License-Identifier: MIT
  [own, pairs, hooks] = mdldm.internal.parse(varargin, struct()); %#ok<ASGLU>
  mdldm.internal.none(pairs, 'mdldm.load');
  m = mdldm.Model(mdldm.internal.call(hooks, 'load', mdldm.internal.text(folder)));
end
