function m = small_model(env, classes)
% SMALL_MODEL  A model of 16x16 pictures with random weights, for tests that need any model at all.
% SPDX-License-Identifier: MIT
  folder = fullfile(env.work, 'config');
  if ~exist(folder, 'dir')
    mkdir(folder);
    put(folder, 'vqvae', ['{"_class_name": "VQModel", "num_vq_embeddings": 11, "block_out_channels": [4, 8], ' ...
        '"norm_num_groups": 2, "latent_channels": 3, "scaling_factor": 0.5, "sample_size": 16, ' ...
        '"down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D"], ' ...
        '"up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D"]}']);
    put(folder, 'unet', ['{"_class_name": "UNet2DModel", "block_out_channels": [4, 8], "norm_num_groups": 2, ' ...
        '"down_block_types": ["DownBlock2D", "AttnDownBlock2D"], "layers_per_block": 1, ' ...
        '"up_block_types": ["AttnUpBlock2D", "UpBlock2D"], "attention_head_dim": 4}']);
    write(fullfile(folder, 'model_index.json'), ['{"_class_name": "LDMPipeline", ' ...
        '"vqvae": ["diffusers", "VQModel"], "unet": ["diffusers", "UNet2DModel"]}']);
  end
  names = {'ID_1', 'ID_2', 'ID_3'};
  m = mdldm.create('ModelConfigNameOrPath', folder, 'Preset', 'tiny', 'Resolution', 16, 'NumClasses', classes, ...
                   'ClassNames', names(1:classes), 'Seed', 7);
end

function put(folder, part, text)
  mkdir(fullfile(folder, part));
  write(fullfile(folder, part, 'config.json'), text);
end

function write(path, text)
  file = fopen(path, 'w');
  fprintf(file, '%s', text);
  fclose(file);
end
