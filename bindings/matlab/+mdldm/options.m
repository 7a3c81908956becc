function table = options(scope)
% mdldm.options  The library's options, a struct array: table = mdldm.options()
% mdldm.options('sample') has those of a scope: model, dataset, train, vq, diffusion, sample, quantize, spectrogram,
% gait, latents.
% Without an output it prints them. As names, "num_inference_steps" and "NumInferenceSteps" are the same.
% SPDX-License-Identifier: MIT
  table = mdldm.internal.call([], 'options');
  if nargin > 0
    scope = mdldm.internal.text(scope);
    keep = cellfun(@(list) any(strcmp(strsplit(list, ', '), scope)), {table.scopes});
    if ~any(keep)
      error('mdldm:invalid_argument', ['%s is no scope: model, dataset, train, vq, diffusion, sample, ' ...
                                       'quantize, spectrogram, gait or latents would be right'], scope);
    end
    table = table(keep);
  end
  if nargout == 0
    for o = table
      fprintf('%-28s %-6s default %-10s %s\n', o.key, o.type, o.default, o.help);
    end
    clear table
  end
end
