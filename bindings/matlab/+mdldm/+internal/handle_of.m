function h = handle_of(object, kind)
% HANDLE_OF  The gateway's handle of a mdldm.Model, .Sampler, .Dataset or .Trainer.
% SPDX-License-Identifier: MIT
  if ~isa(object, ['mdldm.' kind])
    error('mdldm:invalid_argument', 'an object of class %s is given: a mdldm.%s would be right', class(object), kind);
  end
  h = object.Handle;
end
