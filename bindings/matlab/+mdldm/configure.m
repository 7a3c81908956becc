function backend = configure(varargin)
% mdldm.configure  Where and how to compute: mdldm.configure('Threads', 4, 'Precision', 'bf16')
%   'Backend'    'auto' (the start), 'reference', 'cpu', 'cuda', 'cuda:1'; backend = mdldm.configure() tells
%   'Threads'    0: one per processor
%   'Precision'  'f32' or 'bf16'
%   'Winograd'   1 (the start): 3x3 convolutions by Winograd's method where that is faster; 0: never
% It holds for all calls until "clear mex". While a trainer lives, backend and threads stay as they are.
% SPDX-License-Identifier: MIT
  own = struct('Backend', [], 'Threads', [], 'Precision', [], 'Winograd', []);
  names = fieldnames(own)';
  [own, pairs] = mdldm.internal.parse(varargin, own);
  mdldm.internal.none(pairs, 'mdldm.configure');
  for i = 1:numel(names)
    if ~isempty(own.(names{i}))
      mdldm.internal.call([], 'configure', lower(names{i}), own.(names{i}));
    end
  end
  backend = mdldm.internal.call([], 'configure');
  if nargout == 0
    clear backend
  end
end
