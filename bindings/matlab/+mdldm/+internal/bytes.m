function b = bytes(output)
% BYTES  1 for 'uint8', 0 for 'single'.
% SPDX-License-Identifier: MIT
  if ~ischar(output) || ~any(strcmp(output, {'uint8', 'single'}))
    error('mdldm:invalid_argument', 'Output should be ''uint8'' (pictures) or ''single'' (pixels from -1 to 1)');
  end
  b = double(strcmp(output, 'uint8'));
end
