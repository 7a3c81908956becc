function t = safetensors(path)
% SAFETENSORS  Reads a .safetensors file into a struct of arrays. [N C H W] becomes [H W C N], [N H W]
% becomes [H W N].
% SPDX-License-Identifier: MIT
  file = fopen(path, 'r', 'ieee-le');
  if file < 0
    error('test:failed', 'cannot open %s', path);
  end
  close_it = onCleanup(@() fclose(file));
  bytes = fread(file, 1, 'uint64');
  header = jsondecode(fread(file, bytes, '*char')');
  t = struct();
  for name = fieldnames(header)'
    h = header.(name{1});
    if ~isfield(h, 'dtype') || ~any(strcmp(h.dtype, {'F32', 'I32'}))
      continue
    end
    fseek(file, 8 + bytes + h.data_offsets(1), 'bof');
    type = 'single=>single';
    if strcmp(h.dtype, 'I32')
      type = 'int32=>int32';
    end
    shape = h.shape(:)';
    values = fread(file, prod(shape), type);
    if numel(shape) > 1 % the last varies fastest in the file, the first in memory
      values = reshape(values, fliplr(shape));
      order = 1:numel(shape);
      order(1:2) = [2 1];
      values = permute(values, order);
    end
    t.(name{1}) = values;
  end
end
