function [bytes, range] = output(wanted, range_of)
% OUTPUT  What 'Output' asks for: bytes is 1 for 'uint8', 0 for 'single' and 'dB'; range, [floor ceiling] in dB, is []
% but for 'dB'.
% SPDX-License-Identifier: MIT
  if ~ischar(wanted) || ~any(strcmpi(wanted, {'uint8', 'single', 'db'}))
    error('mdldm:invalid_argument', ['Output should be ''uint8'' (pictures), ''single'' (pixels from -1 to 1) or ' ...
                                     '''dB'' (of models that know their range)']);
  end
  bytes = double(strcmpi(wanted, 'uint8'));
  range = [];
  if strcmpi(wanted, 'db')
    range = range_of();
    if isempty(range)
      error('mdldm:unsupported', ['what pixels mean in dB is not known here: ''Output'', ''single'' and ' ...
                                  'mdldm.pixels_to_db with a range of your own would be right']);
    end
  end
end
