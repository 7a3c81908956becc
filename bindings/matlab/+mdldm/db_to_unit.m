function out = db_to_unit(in, floor_db, ceiling_db)
% mdldm.db_to_unit  dB to values from 0 to 1: out = mdldm.db_to_unit(in, floor_db, ceiling_db)
% floor_db is the low end, ceiling_db the high one, linear between, clamped beyond. Any shape; single comes out.
% SPDX-License-Identifier: MIT
  out = mdldm.internal.call([], 'scale', 'db_to_unit', in, floor_db, ceiling_db);
end
