# SPDX-License-Identifier: BSD-3-Clause
# Curves as SVG: a few series over a logarithmic axis, with a legend; for the README, so with
# colours that show on white and on black.
package Bench::Curve;

use strict;
use warnings;
use utf8;

my ($WIDTH, $HEIGHT) = (640, 400);
my ($LEFT, $RIGHT, $TOP, $BOTTOM) = (64, 20, 44, 52);
my @COLOURS = ('#2a78c8', '#d9772b', '#3a9d5d', '#8a8a8a');

sub escape {
    my ($text) = @_;
    return $text =~ s/&/&amp;/gr =~ s/</&lt;/gr =~ s/>/&gt;/gr;
}

sub text_at {
    my ($x, $y, $anchor, $text) = @_;
    return sprintf qq{<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>\n}, $x, $y, $anchor,
        escape($text);
}

# A round step that makes four to eight lines.
sub step_for {
    my ($most) = @_;
    my $step = 10 ** int(log($most) / log(10));
    $step /= 10 while $most / $step < 1;
    return $most / $step >= 4 ? $step : $most / $step >= 2 ? $step / 2 : $step / 5;
}

# { title, x, y, series => [ { name, points => [[x, y], …], dashed } ] }; x is logarithmic.
sub svg {
    my ($plot) = @_;
    my @points = map { @{ $_->{points} } } @{ $plot->{series} };
    my @xs = sort { $a <=> $b } map { $_->[0] } @points;
    my ($most) = sort { $b <=> $a } map { $_->[1] } @points;
    my $step = step_for($most);
    my $top = $step * (int($most / $step) + 1);
    my $across = log($xs[-1] / $xs[0]) || 1;
    my $x_of = sub { $LEFT + log($_[0] / $xs[0]) / $across * ($WIDTH - $LEFT - $RIGHT) };
    my $y_of = sub { $HEIGHT - $BOTTOM - $_[0] / $top * ($HEIGHT - $TOP - $BOTTOM) };

    my $svg = qq{<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 $WIDTH $HEIGHT" }
        . qq{font-family="sans-serif" font-size="13" fill="#808080">\n};
    $svg .= text_at($WIDTH / 2, 20, 'middle', $plot->{title});
    for (my $y = 0; $y <= $top * 1.0001; $y += $step) {
        $svg .= sprintf qq{<path d="M%d %.1fH%d" stroke="#808080" stroke-opacity="0.3"/>\n},
            $LEFT, $y_of->($y), $WIDTH - $RIGHT;
        $svg .= text_at($LEFT - 6, $y_of->($y) + 4, 'end', sprintf '%g', $y);
    }
    my %seen;
    $svg .= text_at($x_of->($_), $HEIGHT - $BOTTOM + 18, 'middle', $_)
        for grep { !$seen{$_}++ } @xs;
    $svg .= text_at($WIDTH / 2, $HEIGHT - 12, 'middle', $plot->{x});
    $svg .= text_at($LEFT - 50, $TOP - 12, 'start', $plot->{y});
    my $index = 0;
    for my $series (@{ $plot->{series} }) {
        my $colour = $COLOURS[ $index % @COLOURS ];
        my $way = join 'L', map { sprintf '%.1f %.1f', $x_of->($_->[0]), $y_of->($_->[1]) }
            @{ $series->{points} };
        my $dash = $series->{dashed} ? ' stroke-dasharray="6 4"' : '';
        my $y = $TOP + 8 + 18 * $index++;
        $svg .= qq{<path d="M$way" fill="none" stroke="$colour" stroke-width="2"$dash/>\n};
        $svg .= sprintf qq{<path d="M%d %dh24" stroke="%s" stroke-width="2"%s/>\n}, $LEFT + 12, $y,
            $colour, $dash;
        $svg .= text_at($LEFT + 42, $y + 4, 'start', $series->{name});
    }
    return "$svg</svg>\n";
}

1;
