function images = decode(m, z, varargin)
% mdldm.decode  Latents to images: images = mdldm.decode(m, z)
% Quantises first when the model has a codebook. images: uint8 [H W C N].
% Options: 'Output' ('uint8', 'single': pixels from -1 to 1, or 'dB': of models that know their range), 'BatchSize' (16), 'Progress', 'Log'.
% SPDX-License-Identifier: MIT
  [own, pairs, hooks] = mdldm.internal.parse(varargin, struct('Output', 'uint8', 'BatchSize', 16));
  mdldm.internal.none(pairs, 'mdldm.decode');
  h = mdldm.internal.handle_of(m, 'Model');
  [bytes, range] = mdldm.internal.output(own.Output, @() mdldm.internal.model_range(m));
  images = mdldm.internal.to_db(mdldm.internal.call(hooks, 'decode', h, z, own.BatchSize, bytes), range);
end
