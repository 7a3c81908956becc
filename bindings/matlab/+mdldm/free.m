function free(varargin)
% mdldm.free  Frees models, samplers, data sets, trainers now: mdldm.free(m, s, ...)
% Without it they go when nothing refers to them any more. The order never matters.
% SPDX-License-Identifier: MIT
  for i = 1:numel(varargin)
    if ~isobject(varargin{i}) || ~any(strcmp(class(varargin{i}), {'mdldm.Model', 'mdldm.Sampler', ...
                                                                  'mdldm.Dataset', 'mdldm.Trainer'}))
      error('mdldm:invalid_argument', 'argument %d is of class %s: a mdldm object would be right', i, ...
            class(varargin{i}));
    end
    mdldm.internal.release(varargin{i}.Handle);
  end
end
