function s = info(m)
% mdldm.info  Facts of a model: s = mdldm.info(m), a struct.
% SPDX-License-Identifier: MIT
  s = mdldm.internal.call([], 'info', mdldm.internal.handle_of(m, 'Model'));
end
