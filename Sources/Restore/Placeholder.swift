// The first file of this module takes this place.
