"""What clients ask before they ask for objects: versions, kinds, schemas."""
