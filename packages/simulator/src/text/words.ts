/** The vocabulary of every simulated answer: 256 words, so that 8 bits of a hash pick one. */
export const words: readonly string[] = [
  "able acid aged also area army away baby back ball band bank base bath bear beat been bell belt",
  "best bill bird blow blue boat body bold bone book boot born both bowl bread brick bridge bright",
  "broad brown build burn bus calm camp card care cart case cash cast cave chain chair chalk cheap",
  "cheese child city claim class clay clean clear clock cloth cloud club coal coast coat code coin",
  "cold color cook cool copper corn cost cotton count court cover crop cross crowd cup curve dance",
  "dark date dawn day deal deep deer desk dish door double down draw dream dress drink drive drop",
  "dry duck dust early earth east easy edge egg eight else end equal even ever exact eye face fact",
  "fair fall family farm fast father feel feet fence field fifth fine fire first fish five flag",
  "flat flight floor flow flower fly food foot forest fork form found four frame free fresh friend",
  "front fruit full game garden gate giant gift glad glass goat gold good grain grand grass gray",
  "great green ground group grow guest guide half hall hand happy harbor hard hat hay head heart",
  "heat heavy help herd high hill hold home honey hook hope horse hot hour house ice idea inch iron",
  "island join joy jump keen keep key kind king kitchen knife lake lamp land large late law lead",
  "leaf learn left lemon letter level light line lion list little long loud low lunch mail main map",
  "mark market meal metal mile milk mill",
]
  .join(" ")
  .split(" ");
