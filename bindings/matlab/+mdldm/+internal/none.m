function none(pairs, name)
% NONE  Refuses options where a function takes none.
% SPDX-License-Identifier: MIT
  if ~isempty(pairs)
    error('mdldm:invalid_argument', '%s has no option %s', name, pairs{1, 1});
  end
end
