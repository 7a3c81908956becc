function [m, t] = golden_case(env, name)
% GOLDEN_CASE  A model and the tensors that PyTorch and diffusers computed with it.
% SPDX-License-Identifier: MIT
  folder = fullfile(env.golden, name);
  m = mdldm.load(folder);
  t = safetensors(fullfile(folder, 'golden.safetensors'));
end
