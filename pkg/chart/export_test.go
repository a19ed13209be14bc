package chart

// Fixed and Colors let the test of names, which imports packages above this one, look at the colours of a chart.
var (
	Fixed  = fixed
	Colors = colors
)
