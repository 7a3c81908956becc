function values = to_db(values, range)
% TO_DB  Pixels as dB; as they are when range is [].
% SPDX-License-Identifier: MIT
  if ~isempty(range)
    values = mdldm.pixels_to_db(values, range(1), range(2));
  end
end
