function images = read(d, items, resolution)
% mdldm.read  Images of a data set as training sees them: images = mdldm.read(d, items, resolution)
% items: numbers from 1 on; resolution: the one the data set was opened with (256). uint8 [side side 3 N].
% SPDX-License-Identifier: MIT
  if nargin < 3
    resolution = 256;
  end
  images = mdldm.internal.call([], 'dataset_read', mdldm.internal.handle_of(d, 'Dataset'), items - 1, resolution);
end
