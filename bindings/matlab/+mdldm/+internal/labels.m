function n = labels(names, class)
% LABELS  Class names or numbers as the model's numbers. [] stays [].
% SPDX-License-Identifier: MIT
  class = mdldm.internal.text(class);
  if ischar(class)
    class = {class};
  end
  if ~iscell(class)
    n = class;
    return
  end
  n = zeros(1, numel(class));
  for i = 1:numel(class)
    k = find(strcmp(names, class{i}), 1);
    if isempty(k)
      known = sprintf(', %s', names{:});
      error('mdldm:not_found', 'no class is named %s; there are: %s', mdldm.internal.text(class{i}), known(3:end));
    end
    n(i) = k - 1;
  end
end
