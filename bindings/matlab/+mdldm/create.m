function m = create(varargin)
% mdldm.create  A new model with random weights: m = mdldm.create('Preset', 'small', 'NumClasses', 8, ...)
% Names and values are the library's options of scope "model": mdldm.options('model') lists them.
% SPDX-License-Identifier: MIT
  [own, pairs, hooks] = mdldm.internal.parse(varargin, struct()); %#ok<ASGLU>
  m = mdldm.Model(mdldm.internal.call(hooks, 'create', pairs));
end
