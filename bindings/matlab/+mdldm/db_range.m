function [floor_db, ceiling_db] = db_range(db, dynamic_range)
% mdldm.db_range  The range of a picture: [floor_db, ceiling_db] = mdldm.db_range(db, dynamic_range)
% ceiling_db is the largest value, floor_db dynamic_range (in dB) below. One range for all recordings keeps their
% strengths comparable.
% SPDX-License-Identifier: MIT
  [floor_db, ceiling_db] = mdldm.internal.call([], 'db_range', db, dynamic_range);
end
