function image = read_image(path)
% mdldm.read_image  A PNG or JPEG file: image = mdldm.read_image(path), uint8 [H W 3].
% SPDX-License-Identifier: MIT
  image = mdldm.internal.call([], 'image_read', mdldm.internal.text(path));
end
