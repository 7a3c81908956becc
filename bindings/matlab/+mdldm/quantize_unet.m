function q = quantize_unet(m, varargin)
% mdldm.quantize_unet  A copy of a model whose UNet computes in eight bits: q = mdldm.quantize_unet(m)
% 'Data': a mdldm.Dataset to measure ranges on, beside denoising trajectories. Other names and values:
% mdldm.options('quantize').
% SPDX-License-Identifier: MIT
  [own, pairs, hooks] = mdldm.internal.parse(varargin, struct('Data', []));
  data = [];
  if ~isempty(own.Data)
    data = mdldm.internal.handle_of(own.Data, 'Dataset');
  end
  q = mdldm.Model(mdldm.internal.call(hooks, 'quantize_unet', mdldm.internal.handle_of(m, 'Model'), data, pairs));
end
