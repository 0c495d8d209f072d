"""The datapath: programs in the kernel, their maps, and how both are built, loaded and read."""
