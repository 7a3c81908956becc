function d = dataset(source, varargin)
% mdldm.dataset  Opens a data set: d = mdldm.dataset(folder_or_zip, 'Resolution', 256)
%   d = mdldm.dataset(db, 'Labels', labels, 'ClassNames', {'anna', 'bert'}, 'Resolution', 64)
% A folder or .zip of PNG and JPEG files, whose sub-folders are the classes; or an array, which is copied: dB
% matrices [R C 1 N] (single or double), for models of one channel, or pictures [H W 3 N] (uint8). With an array:
%   'Labels'      one for each item, from 0 on, or a cell array of class names
%   'ClassNames'  names of the labels 0, 1, ...
% Other names and values: mdldm.options('dataset'), of which 'DbFloor' and 'DbCeiling' say what pixels -1 and 1
% mean; also 'Progress', 'Log'.
% SPDX-License-Identifier: MIT
  [own, pairs, hooks] = mdldm.internal.parse(varargin, struct('Labels', [], 'ClassNames', {{}}));
  source = mdldm.internal.text(source);
  if ischar(source)
    if ~isempty(own.Labels) || ~isempty(own.ClassNames)
      error('mdldm:invalid_argument', 'Labels and ClassNames are for arrays: the classes of files are their folders');
    end
    d = mdldm.Dataset(pairs, hooks, 'dataset', source);
    return
  end
  names = own.ClassNames;
  if iscell(own.Labels) && isempty(names)
    names = unique(own.Labels);
  end
  if ischar(names)
    names = {names};
  end
  names = cellfun(@mdldm.internal.text, names, 'UniformOutput', false);
  d = mdldm.Dataset(pairs, hooks, 'dataset_from', source, mdldm.internal.labels(names, own.Labels), strjoin(names(:)', '/'));
end
