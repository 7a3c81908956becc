function z = noise(s, varargin)
% mdldm.noise  Starting noise of a sampler: z = mdldm.noise(s, 'Count', 4)
% Image k depends on the seed and on FirstIndex + k - 1 alone. Options: 'Count' (1), 'FirstIndex' (0),
% 'Size' (pixels, one number or [height width]; the model's resolution).
% SPDX-License-Identifier: MIT
  [own, pairs, hooks] = mdldm.internal.parse(varargin, struct('Count', 1, 'FirstIndex', 0, 'Size', []));
  mdldm.internal.none(pairs, 'mdldm.noise');
  h = mdldm.internal.handle_of(s, 'Sampler');
  side = mdldm.internal.sides(own.Size, s.Model) / s.Factor;
  z = mdldm.internal.call(hooks, 'noise', h, s.Channels, own.Count, side(1), side(2), own.FirstIndex);
end
