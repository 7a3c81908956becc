function images = decode(m, z, varargin)
% mdldm.decode  Latents to images: images = mdldm.decode(m, z)
% Quantises first when the model has a codebook. images: uint8 [H W C N].
% Options: 'Output' ('uint8', or 'single': pixels from -1 to 1), 'BatchSize' (16), 'Progress', 'Log'.
% SPDX-License-Identifier: MIT
  [own, pairs, hooks] = mdldm.internal.parse(varargin, struct('Output', 'uint8', 'BatchSize', 16));
  mdldm.internal.none(pairs, 'mdldm.decode');
  images = mdldm.internal.call(hooks, 'decode', mdldm.internal.handle_of(m, 'Model'), z, own.BatchSize, ...
                               mdldm.internal.bytes(own.Output));
end
