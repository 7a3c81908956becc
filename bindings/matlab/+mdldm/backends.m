function list = backends()
% mdldm.backends  Backends known here, best first: struct array of name, description and reason; a reason
% says why one cannot be used.
% SPDX-License-Identifier: MIT
  list = mdldm.internal.call([], 'backends');
end
