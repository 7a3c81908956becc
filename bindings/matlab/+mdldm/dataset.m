function d = dataset(path, varargin)
% mdldm.dataset  Opens a data set: d = mdldm.dataset(folder_or_zip, 'Resolution', 256)
% Sub-folders are classes. Names and values: mdldm.options('dataset'); also 'Progress', 'Log'.
% SPDX-License-Identifier: MIT
  [own, pairs, hooks] = mdldm.internal.parse(varargin, struct()); %#ok<ASGLU>
  d = mdldm.Dataset(mdldm.internal.text(path), pairs, hooks);
end
