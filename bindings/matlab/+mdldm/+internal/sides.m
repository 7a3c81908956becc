function s = sides(given, model)
% SIDES  [height width] in pixels from one number, two, or [] (the model's resolution).
% SPDX-License-Identifier: MIT
  if isempty(given)
    given = model.Resolution;
  end
  if ~isnumeric(given) || numel(given) > 2
    error('mdldm:invalid_argument', 'Size should be one number or [height width], in pixels');
  end
  s = double([given(1) given(end)]);
end
