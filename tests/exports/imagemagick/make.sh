draw() {  # canvas, three colours, file and its options
    canvas=$1 sky=$2 grass=$3 water=$4; shift 4
    convert -size 56x40 "xc:$canvas" $soft -fill none -strokewidth 3 \
        -stroke "$sky" -draw 'polyline 5,5 30,5 30,20' \
        -stroke "$grass" -draw 'polyline 3,35 20,28' \
        -stroke "$water" -draw 'polyline 40,30 52,12' "$@"
}
soft=+antialias
for file in transparent.png transparent.gif png64:transparent-64.png; do
    draw none '#0000ff' '#00c800' '#ff0000' "$file"
done
draw none '#0000ff' '#00c800' '#ff0000' -compress zip transparent-16.tif
draw white '#0000ff' '#00c800' '#ff0000' white.gif
draw white '#0000ff' '#00c800' '#ff0000' png8:white-8.png
draw white '#0000ff' '#00c800' '#ff0000' -compress zip -type palette white-palette.tif
for file in ids.png ids.pgm; do
    draw white 'rgb(0,0,0)' 'rgb(1,1,1)' 'rgb(2,2,2)' -colorspace gray -depth 8 $file
done
draw white 'rgb(0,0,0)' 'rgb(1,1,1)' 'rgb(2,2,2)' -colorspace gray -depth 8 -alpha off -compress lzw ids.tif
soft=-antialias
draw none '#0000ff' '#00c800' '#ff0000' png32:smooth.png
