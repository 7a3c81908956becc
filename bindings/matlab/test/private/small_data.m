function folder = small_data(env)
% SMALL_DATA  A folder of 2 x 8 pictures, 16x16, stripes whose direction tells the class.
% SPDX-License-Identifier: MIT
  folder = fullfile(env.work, 'data');
  if exist(folder, 'dir')
    return
  end
  mkdir(folder);
  [x, y] = meshgrid(0:15, 0:15);
  for class = 1:2
    mkdir(fullfile(folder, sprintf('ID_%d', class)));
    for k = 1:8
      wave = 127 + 120 * sin((class == 1) * x / 2 + (class == 2) * y / 3 + k);
      picture = uint8(cat(3, wave, 255 - wave, 16 * x));
      mdldm.write_image(fullfile(folder, sprintf('ID_%d', class), sprintf('%d.png', k)), picture);
    end
  end
end
