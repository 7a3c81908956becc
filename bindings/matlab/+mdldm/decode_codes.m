function images = decode_codes(m, codes, varargin)
% mdldm.decode_codes  Codebook numbers to images: images = mdldm.decode_codes(m, codes)
% codes: [h w N], from 0 on, as mdldm.quantize gives them. 'Output': as in mdldm.decode.
% SPDX-License-Identifier: MIT
  [own, pairs, hooks] = mdldm.internal.parse(varargin, struct('Output', 'uint8'));
  mdldm.internal.none(pairs, 'mdldm.decode_codes');
  h = mdldm.internal.handle_of(m, 'Model');
  [bytes, range] = mdldm.internal.output(own.Output, @() mdldm.internal.model_range(m));
  images = mdldm.internal.to_db(mdldm.internal.call(hooks, 'decode_codes', h, codes, bytes), range);
end
