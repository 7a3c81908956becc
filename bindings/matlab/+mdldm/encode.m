function z = encode(m, images, varargin)
% mdldm.encode  Images to latents: z = mdldm.encode(m, images)
% images: [H W C N] uint8, or single or double pixels from -1 to 1; H and W multiples of the model's factor f.
% z: single [H/f W/f c N], scaled for diffusion, not quantised.
% Options: 'Input' ('pixels', or 'dB' matrices, of models that know their range), 'BatchSize' (16), 'Progress', @(stage, done, total), 'Log', @(level, text).
% SPDX-License-Identifier: MIT
  [own, pairs, hooks] = mdldm.internal.parse(varargin, struct('Input', 'pixels', 'BatchSize', 16));
  mdldm.internal.none(pairs, 'mdldm.encode');
  h = mdldm.internal.handle_of(m, 'Model');
  if strcmpi(own.Input, 'db')
    [~, range] = mdldm.internal.output('dB', @() mdldm.internal.model_range(m));
    images = mdldm.db_to_pixels(images, range(1), range(2));
  elseif ~strcmpi(own.Input, 'pixels')
    error('mdldm:invalid_argument', 'Input should be ''pixels'' or ''dB''');
  end
  z = mdldm.internal.call(hooks, 'encode', h, images, own.BatchSize);
end
