function release(handle)
% RELEASE  Frees what is behind a handle; fine when it is gone. Destructors call it, so it never fails.
% SPDX-License-Identifier: MIT
  if ~isempty(handle) && exist('mdldm_mex', 'file') == 3
    mdldm_mex('free', handle, [], []);
  end
end
