function z = encode(m, images, varargin)
% mdldm.encode  Images to latents: z = mdldm.encode(m, images)
% images: [H W C N] uint8, or single or double pixels from -1 to 1; H and W multiples of the model's factor f.
% z: single [H/f W/f c N], scaled for diffusion, not quantised.
% Options: 'BatchSize' (16), 'Progress', @(stage, done, total), 'Log', @(level, text).
% SPDX-License-Identifier: MIT
  [own, pairs, hooks] = mdldm.internal.parse(varargin, struct('BatchSize', 16));
  mdldm.internal.none(pairs, 'mdldm.encode');
  z = mdldm.internal.call(hooks, 'encode', mdldm.internal.handle_of(m, 'Model'), images, own.BatchSize);
end
