function images = generate(m, varargin)
% mdldm.generate  New images: images = mdldm.generate(m, 'Class', "ID_1", 'Count', 16)
% images: uint8 [H W C N].
%   'Class'       name or label (from 0 on) for all images, or one for each (cell array, vector)
%   'Count'       how many (1)
%   'FirstIndex'  image k depends on the seed and on FirstIndex + k - 1 alone (0); mdldm-generate counts
%                 from 1000000 * label
%   'Size'        pixels, one number or [height width] (the model's resolution)
%   'BatchSize'   images made at once (16): speed and memory, not the images
%   'Output'      'uint8', 'single': pixels from -1 to 1, or 'dB': matrices of a model that knows its range
%   'Progress'    @(stage, done, total), 'Log' @(level, text); an error in them ends the call
% All else is the library's: 'Seed', 'Scheduler', 'NumInferenceSteps', 'GuidanceScale', ...;
% mdldm.options('sample') lists them.
% SPDX-License-Identifier: MIT
  own = struct('Class', [], 'Count', 1, 'FirstIndex', 0, 'Size', [], 'BatchSize', 16, 'Output', 'uint8');
  [own, pairs, hooks] = mdldm.internal.parse(varargin, own);
  h = mdldm.internal.handle_of(m, 'Model');
  side = mdldm.internal.sides(own.Size, m);
  [bytes, range] = mdldm.internal.output(own.Output, @() mdldm.internal.model_range(m));
  images = mdldm.internal.call(hooks, 'generate', h, pairs, own.Count, side(1), side(2), ...
                               mdldm.internal.labels(m.ClassNames, own.Class), own.FirstIndex, own.BatchSize, bytes);
  images = mdldm.internal.to_db(images, range);
end
