function out = pixels_to_db(in, floor_db, ceiling_db)
% mdldm.pixels_to_db  Pixels from -1 to 1 to dB: out = mdldm.pixels_to_db(in, floor_db, ceiling_db)
% floor_db is the low end, ceiling_db the high one, linear between, clamped beyond. Any shape; single comes out.
% SPDX-License-Identifier: MIT
  out = mdldm.internal.call([], 'scale', 'pixels_to_db', in, floor_db, ceiling_db);
end
