function out = db_to_pixels(in, floor_db, ceiling_db)
% mdldm.db_to_pixels  dB to pixels from -1 to 1, which models take: out = mdldm.db_to_pixels(in, floor_db, ceiling_db)
% floor_db is the low end, ceiling_db the high one, linear between, clamped beyond. Any shape; single comes out.
% SPDX-License-Identifier: MIT
  out = mdldm.internal.call([], 'scale', 'db_to_pixels', in, floor_db, ceiling_db);
end
