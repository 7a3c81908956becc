function [zq, codes] = quantize(m, z)
% mdldm.quantize  Latents to the nearest codebook vectors: [zq, codes] = mdldm.quantize(m, z)
% codes: int32 [h w N], numbers of the codebook from 0 on.
% SPDX-License-Identifier: MIT
  if nargout < 2
    zq = mdldm.internal.call([], 'quantize', mdldm.internal.handle_of(m, 'Model'), z);
  else
    [zq, codes] = mdldm.internal.call([], 'quantize', mdldm.internal.handle_of(m, 'Model'), z);
  end
end
