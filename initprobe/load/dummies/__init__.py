"""One file per modality: what a forward of the transformers library is given where nobody brings a batch.

Each registers a ``base.Modality``: names of arguments, and for each the tensors that it could take, made up from the
configuration. ``load.huggingface.inputs`` puts them together and takes the first combination that the model runs on.
"""
