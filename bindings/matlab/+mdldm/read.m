function items = read(d, which, varargin)
% mdldm.read  Items of a data set as training sees them: items = mdldm.read(d, 1:4)
% which: numbers from 1 on. 'Output': 'uint8' [side side 3 N] (as it is), 'single' pixels from -1 to 1
% [side side C N], or 'dB' where the data set has a range.
% SPDX-License-Identifier: MIT
  [own, pairs] = mdldm.internal.parse(varargin, struct('Output', 'uint8'));
  mdldm.internal.none(pairs, 'mdldm.read');
  [bytes, range] = mdldm.internal.output(own.Output, @() range_of(d));
  items = mdldm.internal.call([], 'dataset_read', mdldm.internal.handle_of(d, 'Dataset'), which - 1, d.Resolution, bytes);
  items = mdldm.internal.to_db(items, range);
end

function range = range_of(d)
  range = d.DbRange;
end
