function v = version()
% mdldm.version  The library's version, '0.1.0' say.
% SPDX-License-Identifier: MIT
  v = mdldm.internal.call([], 'version');
end
