function save(m, folder)
% mdldm.save  Writes a model as a diffusers pipeline directory: mdldm.save(m, folder)
% An earlier one there stays whole until the new one is complete.
% SPDX-License-Identifier: MIT
  mdldm.internal.call([], 'save', mdldm.internal.handle_of(m, 'Model'), mdldm.internal.text(folder));
end
