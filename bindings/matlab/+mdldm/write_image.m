function write_image(path, image)
% mdldm.write_image  Writes a PNG file: mdldm.write_image(path, image), image uint8 [H W 3].
% SPDX-License-Identifier: MIT
  mdldm.internal.call([], 'image_write', mdldm.internal.text(path), image);
end
