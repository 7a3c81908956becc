function range = model_range(m)
% MODEL_RANGE  [floor ceiling] in dB of a model of one channel, [] when it has none.
% SPDX-License-Identifier: MIT
  info = mdldm.info(m);
  range = [];
  if isfield(info, 'db_floor') && isfield(info, 'db_ceiling')
    range = [info.db_floor info.db_ceiling];
  end
end
